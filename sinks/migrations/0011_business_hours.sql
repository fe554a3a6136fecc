-- The hours of a queue, for resolutions that are measured in them (schemas/rows.py).
ALTER TABLE queue_settings{local}{on_cluster}
    ADD COLUMN IF NOT EXISTS business_minutes Array(UInt16) AFTER timezone;

-- cluster only
ALTER TABLE queue_settings{on_cluster}
    ADD COLUMN IF NOT EXISTS business_minutes Array(UInt16) AFTER timezone;
