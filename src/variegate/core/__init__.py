"""What everything else is built on: errors, configuration, codes, the nouns of the house, sampling."""
