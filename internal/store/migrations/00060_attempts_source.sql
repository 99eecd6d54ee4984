-- +goose Up
-- The source of the request that an attempt of kind 'forward' forwarded. Attempts of deliveries and of earlier versions have none.
ALTER TABLE attempts ADD COLUMN IF NOT EXISTS source LowCardinality(String);
