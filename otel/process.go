package otel

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/procfs"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/semconv/v1.43.0/processconv"
)

// userTicks is the number of /proc's units in a second of processor time, on every Linux.
const userTicks = 100

// observeProcess exports the operating system's metrics of this process, by OpenTelemetry's conventions. Without /proc
// there is only the uptime.
func observeProcess() error {
	m, begun := otel.Meter("hooktape/otel"), time.Now()
	cpu, err1 := processconv.NewCPUTime(m)
	memory, err2 := processconv.NewMemoryUsageObservable(m)
	files, err3 := processconv.NewUnixFileDescriptorCountObservable(m)
	uptime, err4 := processconv.NewUptimeObservable(m)
	user := metric.WithAttributes(cpu.AttrCPUMode(processconv.CPUModeUser))
	system := metric.WithAttributes(cpu.AttrCPUMode(processconv.CPUModeSystem))
	_, err := m.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		o.ObserveFloat64(uptime.Inst(), time.Since(begun).Seconds())
		self, err := procfs.Self()
		if err != nil {
			return nil
		}
		if stat, err := self.Stat(); err == nil {
			o.ObserveFloat64(cpu.Inst(), float64(stat.UTime)/userTicks, user)
			o.ObserveFloat64(cpu.Inst(), float64(stat.STime)/userTicks, system)
			o.ObserveInt64(memory.Inst(), int64(stat.ResidentMemory()))
		}
		if open, err := self.FileDescriptorsLen(); err == nil {
			o.ObserveInt64(files.Inst(), int64(open))
		}
		return nil
	}, cpu.Inst(), memory.Inst(), files.Inst(), uptime.Inst())
	return errors.Join(err1, err2, err3, err4, err)
}
