"""The trained network on test images: its accuracy, its exact activations, its robustness to noise."""
