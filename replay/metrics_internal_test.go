package replay

import (
	"testing"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"hooktape/internal/store"
)

// TestWaitingBetweenReconciles: the gauge of deliveries in memory shows how many there are now, also while ClickHouse
// is away and no reconcile succeeds.
func TestWaitingBetweenReconciles(t *testing.T) {
	reader := metric.NewManualReader()
	defer otel.SetMeterProvider(otel.GetMeterProvider())
	otel.SetMeterProvider(metric.NewMeterProvider(metric.WithReader(reader)))
	r := &Runner{replays: &replays{}, workers: map[store.Queue]*worker{}}
	for _, queue := range []store.Queue{{Endpoint: "crm"}, {Endpoint: "https://a.example", ReplayID: uuid.New()},
		{Endpoint: "https://b.example", ReplayID: uuid.New()}} {
		r.workers[queue] = &worker{config: workerConfig{queue: queue}}
	}
	r.observe(nil)
	defer observe(r.observed.Load)()
	for _, n := range []int64{7, 3} {
		for _, w := range r.workers {
			w.open.Store(n)
		}
		var got metricdata.ResourceMetrics
		if err := reader.Collect(t.Context(), &got); err != nil {
			t.Fatal(err)
		}
		seen := map[string]int64{}
		for _, m := range got.ScopeMetrics[0].Metrics {
			if m.Name == "hooktape.delivery.waiting" {
				for _, p := range m.Data.(metricdata.Gauge[int64]).DataPoints {
					seen[p.Attributes.Encoded(attribute.DefaultEncoder())] = p.Value
				}
			}
		}
		if len(seen) != 2 || seen["hooktape.endpoint=crm,hooktape.queue=live"] != n ||
			seen["hooktape.endpoint=(url),hooktape.queue=replay"] != 2*n {
			t.Errorf("with %d in each of three queues: %v", n, seen)
		}
	}
}
