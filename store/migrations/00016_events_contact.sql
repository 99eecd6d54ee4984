-- +goose Up
-- Whether the request told how the subscriber can be reached.
ALTER TABLE events ADD COLUMN IF NOT EXISTS contact Bool MATERIALIZED email != '' OR phone != '';
