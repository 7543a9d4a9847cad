-- What a host said last of why it could not do what was asked, in its own words: for the operator, never for the customer.
ALTER TABLE actions ADD COLUMN host_says TEXT;
