"""What focus, bridge and web share: values, errors, settings, stanzas, the command."""
