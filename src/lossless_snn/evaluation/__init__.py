"""The trained network on test images: its accuracy, and its robustness to noise."""
