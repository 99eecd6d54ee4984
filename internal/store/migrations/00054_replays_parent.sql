-- +goose Up
-- The replay whose failed deliveries this one sends again; the zero UUID for none.
ALTER TABLE replays ADD COLUMN IF NOT EXISTS parent UUID;
