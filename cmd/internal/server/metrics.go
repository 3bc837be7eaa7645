package server

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"mptgo/mpt"
	"mptgo/mpt/serve"
)

// The buckets of times reach what a CPU does.
var (
	firstBuckets = []float64{0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300}
	tokenBuckets = []float64{0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5}
	maskBuckets  = []float64{0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1}
	countBuckets = []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000}
)

// metrics are what Prometheus reads: the engine's numbers under the names of llama.cpp and
// of vLLM, which dashboards and routers know.
type metrics struct {
	registry *prometheus.Registry
	models   *catalogue
	requests *prometheus.CounterVec

	first, between, whole, queue, prefill, decode, step, mask *prometheus.HistogramVec
	prompt, generated                                         *prometheus.HistogramVec
}

func newMetrics(models *catalogue) *metrics {
	m := &metrics{registry: prometheus.NewRegistry(), models: models}
	process := collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})
	m.registry.MustRegister(collectors.NewGoCollector(), process, m)
	m.requests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "mpt_http_requests_total", Help: "HTTP requests by path and status."}, []string{"path", "status"})
	m.registry.MustRegister(m.requests)
	m.mask = m.histogram("mpt_grammar_mask_seconds", "Finding the tokens that a grammar allows, for one token.", maskBuckets)
	m.step = m.histogram("mpt_step_seconds", "Time of a step.", tokenBuckets)
	m.first = m.histogram("vllm:time_to_first_token_seconds", "From arrival to the first token.", firstBuckets)
	m.between = m.histogram("vllm:inter_token_latency_seconds", "Between two tokens of an answer.", tokenBuckets)
	m.whole = m.histogram("vllm:e2e_request_latency_seconds", "From arrival to the end.", firstBuckets)
	m.queue = m.histogram("vllm:request_queue_time_seconds", "In the queue.", firstBuckets)
	m.prefill = m.histogram("vllm:request_prefill_time_seconds", "Reading the prompt.", firstBuckets)
	m.decode = m.histogram("vllm:request_decode_time_seconds", "Writing the answer.", firstBuckets)
	m.prompt = m.histogram("vllm:request_prompt_tokens", "Tokens of a prompt.", countBuckets)
	m.generated = m.histogram("vllm:request_generation_tokens", "Tokens of an answer.", countBuckets)
	return m
}

func (m *metrics) histogram(name, help string, buckets []float64) *prometheus.HistogramVec {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, []string{"model_name"})
	m.registry.MustRegister(h)
	return h
}

// request counts an HTTP request, by its path if it is one of ours; all files of the page count
// as one.
func (m *metrics) request(path string, status int) {
	known := "other"
	for i := range routes {
		if _, ok := routes[i].matches(path); ok {
			known = routes[i].path
			break
		}
	}
	if known == "other" && pageFiles()[path] != nil {
		known = "page"
	}
	m.requests.WithLabelValues(known, strconv.Itoa(status)).Inc()
}

// modelMetrics are told what the engine of a model does: a [serve.Observer].
type modelMetrics struct {
	first, between, whole, queue, prefill, decode, step prometheus.Observer
	prompt, generated                                   prometheus.Observer
}

// of returns the metrics of a model.
func (m *metrics) of(model string) *modelMetrics {
	x := func(v *prometheus.HistogramVec) prometheus.Observer { return v.WithLabelValues(model) }
	return &modelMetrics{
		first: x(m.first), between: x(m.between), whole: x(m.whole), queue: x(m.queue), prefill: x(m.prefill),
		decode: x(m.decode), step: x(m.step), prompt: x(m.prompt), generated: x(m.generated),
	}
}

func (m *modelMetrics) FirstToken(d time.Duration) { m.first.Observe(d.Seconds()) }
func (m *modelMetrics) NextToken(d time.Duration)  { m.between.Observe(d.Seconds()) }

func (m *modelMetrics) Step(took time.Duration, _, _ int) { m.step.Observe(took.Seconds()) }

func (m *modelMetrics) Done(_ mpt.Reason, u serve.Usage, whole time.Duration) {
	m.whole.Observe(whole.Seconds())
	m.queue.Observe(u.Queue.Seconds())
	m.prefill.Observe(u.Prefill.Seconds())
	m.decode.Observe(u.Decode.Seconds())
	m.prompt.Observe(float64(u.PromptTokens))
	m.generated.Observe(float64(u.CompletionTokens))
}

// Describe is empty: what is collected depends on the engines.
func (m *metrics) Describe(chan<- *prometheus.Desc) {}

// teller tells a number.
type teller func(kind prometheus.ValueType, name, help string, v float64, labels prometheus.Labels)

// Collect tells the numbers of all models that are loaded.
func (m *metrics) Collect(out chan<- prometheus.Metric) {
	tell := teller(func(kind prometheus.ValueType, name, help string, v float64, labels prometheus.Labels) {
		if metric, err := prometheus.NewConstMetric(prometheus.NewDesc(name, help, nil, labels), kind, v); err == nil {
			out <- metric
		}
	})
	list := m.models.list()
	var ram, disk int64
	for _, e := range list {
		state, x := m.models.now(e)
		on := 0.0
		if state == loaded {
			on = 1
		}
		tell(prometheus.GaugeValue, "mpt_model_loaded", "Whether a model is loaded.", on, prometheus.Labels{"model_name": e.Names[0]})
		if x == nil {
			continue
		}
		s := x.Engine.Stats()
		x.tell(tell, s, len(list) > 1)
		m.models.release(e)
		ram, disk = ram+s.CacheBytes, max(disk, s.Disk.Bytes) // they have one folder
	}
	if len(list) > 0 {
		for tier, n := range map[string]int64{"ram": ram, "disk": disk} {
			tell(prometheus.GaugeValue, "mpt_cache_bytes", "Bytes of the prefix cache.", float64(n), prometheus.Labels{"tier": tier})
		}
	}
}

// tell tells the numbers of a model. Where there are several all of them have its name.
func (x *served) tell(tell teller, s serve.Stats, several bool) {
	label := prometheus.Labels{"model_name": x.Names[0]}
	for _, c := range counters(s) {
		tell(prometheus.CounterValue, c.name, c.help, c.value, c.labels(label, several))
	}
	for _, g := range gauges(s) {
		tell(prometheus.GaugeValue, g.name, g.help, g.value, g.labels(label, several))
	}
	ended := map[string]int64{} // an end token and a stop string have the same name
	for why, n := range s.Requests {
		ended[reasonName(why)] += n
	}
	for why, n := range ended {
		tell(prometheus.CounterValue, "vllm:request_success_total", "Requests that ended, by the reason.", float64(n),
			prometheus.Labels{"model_name": x.Names[0], "finished_reason": why})
	}
	if len(x.lora.names) > 0 {
		tell(prometheus.GaugeValue, "vllm:lora_requests_info", "The adapters of requests.", 1, prometheus.Labels{
			"model_name": x.Names[0], "max_lora": strconv.Itoa(len(x.lora.names)),
			"running_lora_adapters": x.lora.joined(s.RunningAdapters), "waiting_lora_adapters": x.lora.joined(s.WaitingAdapters)})
	}
	pages := float64(s.PageLimit) / float64(max(x.Engine.Model().CacheBytes(1), 1))
	tell(prometheus.GaugeValue, "vllm:cache_config_info", "The cache of keys and values.", 1, prometheus.Labels{
		"model_name": x.Names[0], "block_size": "32", "num_gpu_blocks": strconv.Itoa(int(max(pages, 0)))})
}

// number is a metric with one value.
type number struct {
	name, help string
	value      float64
}

// labels are those of vLLM's metrics: llama.cpp's have none, as long as there is one model.
func (n number) labels(l prometheus.Labels, several bool) prometheus.Labels {
	if n.name[0] == 'v' || several {
		return l
	}
	return nil
}

func counters(s serve.Stats) []number {
	return []number{
		{"llamacpp:prompt_tokens_total", "Evaluated tokens of prompts.", float64(s.PromptTokens)},
		{"llamacpp:prompt_seconds_total", "Time for prompts.", s.PromptTime.Seconds()},
		{"llamacpp:tokens_predicted_total", "Tokens of answers.", float64(s.DecodeTokens)},
		{"llamacpp:tokens_predicted_seconds_total", "Time for answers.", s.DecodeTime.Seconds()},
		{"llamacpp:n_decode_total", "Steps.", float64(s.Steps)},
		{"llamacpp:n_tokens_max", "Most rows in a step.", float64(s.Largest)},
		{"vllm:prompt_tokens_total", "Evaluated tokens of prompts.", float64(s.PromptTokens)},
		{"vllm:generation_tokens_total", "Tokens of answers.", float64(s.DecodeTokens)},
		{"vllm:prefix_cache_queries_total", "Tokens of prompts that were looked up.", float64(s.CacheQueries)},
		{"vllm:prefix_cache_hits_total", "Those of them that were found.", float64(s.CacheHits)},
		{"mpt_cache_disk_tokens_total", "Tokens that were read from the prefix cache on disk.", float64(s.Disk.Tokens)},
		{"vllm:spec_decode_num_draft_tokens_total", "Guesses of tokens that were evaluated.", float64(s.Drafted)},
		{"vllm:spec_decode_num_accepted_tokens_total", "Those of them that came true.", float64(s.Accepted)},
		{"vllm:num_preemptions_total", "Sequences that made room for others.", float64(s.Preemptions)},
	}
}

func gauges(s serve.Stats) []number {
	used := 0.0
	if s.PageLimit > 0 {
		used = float64(s.PageBytes) / float64(s.PageLimit)
	}
	rate := func(n int64, d time.Duration) float64 { return over(float64(n), d.Seconds()) }
	return []number{
		{"llamacpp:prompt_tokens_seconds", "Tokens of prompts a second.", rate(s.PromptTokens, s.PromptTime)},
		{"llamacpp:predicted_tokens_seconds", "Tokens of answers a second.", rate(s.DecodeTokens, s.DecodeTime)},
		{"llamacpp:requests_processing", "Running sequences.", float64(len(s.Slots))},
		{"llamacpp:requests_deferred", "Waiting requests.", float64(s.Waiting)},
		{"llamacpp:n_busy_slots_per_decode", "Rows of answers in a step.", over(float64(s.DecodeTokens), float64(s.Steps))},
		{"llamacpp:kv_cache_usage_ratio", "Part of the memory for keys and values that is in use.", used},
		{"llamacpp:kv_cache_tokens", "Tokens in the prefix cache.", float64(s.CachedTokens)},
		{"vllm:num_requests_running", "Running sequences.", float64(len(s.Slots))},
		{"vllm:num_requests_waiting", "Waiting requests.", float64(s.Waiting)},
		{"vllm:kv_cache_usage_perc", "Part of the memory for keys and values that is in use.", used},
	}
}

// reasonName is vLLM's word for the end of a request.
func reasonName(why mpt.Reason) string {
	switch why {
	case mpt.EndedCancelled:
		return "abort"
	case mpt.EndedError:
		return "error"
	}
	return finish(why)
}

// showMetrics is what Prometheus reads.
func (s *Server) showMetrics(w http.ResponseWriter, r *http.Request) *apiError {
	if !s.c.Metrics {
		return unsupported("metrics are switched off where the server is started")
	}
	promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{}).ServeHTTP(w, r)
	return nil
}
