-- Parts that hold none of the contacts asked for are passed over: what a customer's page reads does
-- not grow with the number of parts. Parts that are there get the index as they are merged.
ALTER TABLE events{local}{on_cluster}
    ADD INDEX IF NOT EXISTS by_contact subject TYPE bloom_filter(0.01) GRANULARITY 1;
