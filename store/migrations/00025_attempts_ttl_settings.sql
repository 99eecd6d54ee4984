-- +goose Up
-- As for events.
ALTER TABLE attempts MODIFY SETTING materialize_ttl_recalculate_only = 1, merge_with_ttl_timeout = 3600;
