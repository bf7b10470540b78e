"""Result files of load generators: read by what they hold, and held against predictions."""
