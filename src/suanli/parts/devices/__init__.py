"""One file for each nature of device."""
