"""A page that shows one image at a time running through the spiking networks, for a browser without a network."""
