"""Knowledge transfer into a recommender: taps on its layers, teachers, and the loss between them."""
