"""The experiments of the talk and the paper, each one short file that reads like its section."""
