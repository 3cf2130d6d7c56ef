// Everything is drawn once; what is open to change is drawn again by its own events.

drawHead();
drawComparison();
drawCost();
setUpCurves();
drawFailures();
drawNotes();
update();
for (const media of [narrow, dark, touch]) media.addEventListener("change", () => redraws.forEach((redraw) => redraw()));
dark.addEventListener("change", () => choices.length && chosenChanged());
