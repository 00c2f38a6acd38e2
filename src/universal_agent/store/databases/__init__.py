"""The databases that verbs run on."""
