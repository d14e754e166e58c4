"""Spiking networks on test images."""
