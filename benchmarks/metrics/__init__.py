"""Which metric notices what: samples whose fault is known, beside true ones."""
