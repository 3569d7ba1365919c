"""The conference focus: rooms, participants, Jingle, bridges."""
