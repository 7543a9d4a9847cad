-- The last transfer that was posted by a clock which had been far ahead, as an operator said: what comes after it may be older.
ALTER TABLE scheduler ADD COLUMN unbelieved_transfer_id INTEGER REFERENCES transfers (id);
