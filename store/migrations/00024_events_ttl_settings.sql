-- +goose Up
-- For retention, where it is configured. A change of it recomputes when rows expire, and leaves them to the next merge, in
-- place of writing the table anew at once. Of each month one merge an hour may remove what has expired; that is at
-- midnights, so that most of them find nothing to do.
ALTER TABLE events MODIFY SETTING materialize_ttl_recalculate_only = 1, merge_with_ttl_timeout = 3600;
