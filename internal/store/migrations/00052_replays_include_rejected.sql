-- +goose Up
ALTER TABLE replays ADD COLUMN IF NOT EXISTS include_rejected Bool;
