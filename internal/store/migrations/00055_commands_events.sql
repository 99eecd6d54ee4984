-- +goose Up
-- The events of a command that concerns single deliveries.
ALTER TABLE commands ADD COLUMN IF NOT EXISTS events Array(UUID);
