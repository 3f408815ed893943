"""What can be known of a load before anything is sent: whether its columns and values fit the object. Dry."""
