"""The sections of a report, each a function from the inputs to its `Section`."""
