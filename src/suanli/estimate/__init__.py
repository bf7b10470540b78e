"""Floor 4: seconds and bytes of a workload on a device, for one layout or a table of them."""
