"""One file for each way to split a training job."""
