-- +goose Up
-- Whether the replay may not go to private addresses. Those made before may go where the configuration allows.
ALTER TABLE replays ADD COLUMN IF NOT EXISTS public_only Bool DEFAULT false;
