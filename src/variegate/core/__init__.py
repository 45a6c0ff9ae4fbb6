"""What everything else is built on: errors, configuration, codes, the core types, sampling."""
