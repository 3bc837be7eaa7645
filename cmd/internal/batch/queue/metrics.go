package queue

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are what a worker counts, for Prometheus.
type Metrics struct {
	registry    *prometheus.Registry
	pending     prometheus.Gauge
	inFlight    prometheus.Gauge
	done        *prometheus.CounterVec
	redelivered prometheus.Counter
	diverged    prometheus.Counter
	compared    prometheus.Counter
	seconds     prometheus.Histogram
}

// NewMetrics returns counts of nothing yet.
func NewMetrics() *Metrics {
	name := func(n, help string) prometheus.Opts { return prometheus.Opts{Name: "mpt_batch_" + n, Help: help} }
	counter := func(n, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts(name(n, help)))
	}
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		pending: prometheus.NewGauge(prometheus.GaugeOpts(name("pending",
			"Requests on the server for workers with this model and these options, those under way included."))),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts(name("in_flight", "Requests that this worker is at."))),
		done: prometheus.NewCounterVec(prometheus.CounterOpts(name("done_total", "Results that this worker has stored, by code: answered or failed.")),
			[]string{"code"}),
		redelivered: counter("redelivered_total", "Requests that had been delivered before."),
		diverged:    counter("divergence_total", "Results that another worker's differ from: a machine computes wrong."),
		compared:    counter("compared_total", "Results of other workers that were computed again to compare."),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "mpt_batch_seconds",
			Help: "Time from a request to its stored result, in seconds.", Buckets: prometheus.ExponentialBuckets(0.01, 4, 10)}),
	}
	m.registry.MustRegister(m.pending, m.inFlight, m.done, m.redelivered, m.diverged, m.compared, m.seconds)
	return m
}

// Tokens adds a count of tokens of a kind: prompt, reused or generated.
func (m *Metrics) Tokens(kind string, count func() float64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "mpt_batch_tokens_total",
		Help: "Tokens by kind.", ConstLabels: prometheus.Labels{"kind": kind}}, count))
}

// Handler serves the counts.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
