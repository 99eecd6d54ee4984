-- +goose Up
-- By ClickHouse's own clock: the last command counts, and those who give them have clocks of their own.
ALTER TABLE commands MODIFY COLUMN at DateTime64(6, 'UTC') DEFAULT now64(6);
