// Which names of a network can be read at once, and where they stand.

const MARGIN = 5;
const LINE_HEIGHT = 18;

const overlap = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
const around = (x, y, width, height) => ({ x, y, left: x - width / 2, right: x + width / 2, top: y - height / 2, bottom: y + height / 2 });

/** The places of a name beside its mark, the outer side first. */
function beside({ x, y, radius }, width, middle) {
  const across = radius + MARGIN + width / 2;
  const up = radius + LINE_HEIGHT / 2;
  const outward = x < middle ? -1 : 1;
  return [[outward * across, 0], [-outward * across, 0], [0, -up], [0, up], [outward * across, -up], [outward * across, up], [-outward * across, -up], [-outward * across, up]]
    .map(([dx, dy]) => around(x + dx, y + dy, width, LINE_HEIGHT));
}

/**
 * Where names can stand in a box so that none covers another or a mark; what has no such place has no name.
 * marks: in pixels from the upper left, the most important first. `wanted` are those to be named; of these `needed`
 * may cover marks, as few as can be.
 */
function placeNames(marks, box, widthOf) {
  const discs = marks.map(({ x, y, radius }) => around(x, y, 2 * radius, 2 * radius));
  const inside = (place) => place.left >= 0 && place.top >= 0 && place.right <= box.width && place.bottom <= box.height;
  const placed = [];
  for (const { label, needed, ...mark } of marks.filter(({ wanted }) => wanted)) {
    const best = beside(mark, widthOf(label), box.width / 2)
      .filter((place) => inside(place) && !placed.some((other) => overlap(place, other)))
      .map((place) => ({ ...place, covers: discs.filter((disc) => overlap(place, disc)).length }))
      .reduce((least, place) => (least && least.covers <= place.covers ? least : place), null);
    if (best && (needed || !best.covers)) placed.push({ ...best, label });
  }
  return placed;
}
