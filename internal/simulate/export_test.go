package simulate

// BackfillBatches is Backfill with batches of another size.
var BackfillBatches = (*Account).backfill
