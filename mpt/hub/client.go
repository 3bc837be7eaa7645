package hub

import (
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// DefaultEndpoint is the site that is asked when nothing else is said.
const DefaultEndpoint = "https://huggingface.co"

// A Client talks to one site and keeps what it downloads in one cache. Its fields must
// not change while a method runs; its methods may be called from several goroutines.
type Client struct {
	Endpoint    string            // of the site, without a slash at the end; "" is DefaultEndpoint
	Token       string            // sent to the site, and to nobody else; "" for none
	TokenFrom   string            // where the token comes from, for error messages
	Cache       string            // the folder of the cache
	Offline     bool              // use what the cache holds, and no network
	Connections int               // the most that are open at once; 0 means 8
	UserAgent   string            // of the program that asks
	Transport   http.RoundTripper // nil: one made for long downloads
	Times       Times             // how patient the client is; what is 0 gets its default

	// Logf, if not nil, is told what a user should know although it is no error: one line
	// a call, without a newline.
	Logf func(format string, args ...any)

	manyFrom, segmentBytes, saveBytes int64 // see the constants; tests make them small

	once sync.Once
	http *http.Client
	slot chan struct{} // as many as there are connections
}

// Times says how patient a client is.
type Times struct {
	Connect   time.Duration // to open a connection: 15 s
	Header    time.Duration // until an answer begins: 30 s
	Stall     time.Duration // between two pieces of an answer: 30 s
	Retry     time.Duration // before the first attempt to ask again; doubles: 1 s
	RetryMost time.Duration // the longest of these pauses: 8 s
	RateLimit time.Duration // the longest pause that a server may ask for: 5 min
	Save      time.Duration // between two notes of how far a download is: 5 s
	Lock      time.Duration // between two looks whether another process has finished: 100 ms
	Progress  time.Duration // between two calls of the function that shows progress: 100 ms
}

// attempts is how often something is tried without any progress in between.
const attempts = 6

// withDefaults returns t with what is 0 filled in.
func (t Times) withDefaults() Times {
	for _, d := range []struct {
		at *time.Duration
		to time.Duration
	}{
		{&t.Connect, 15 * time.Second}, {&t.Header, 30 * time.Second}, {&t.Stall, 30 * time.Second},
		{&t.Retry, time.Second}, {&t.RetryMost, 8 * time.Second}, {&t.RateLimit, 5 * time.Minute},
		{&t.Save, 5 * time.Second}, {&t.Lock, 100 * time.Millisecond}, {&t.Progress, 100 * time.Millisecond},
	} {
		if *d.at == 0 {
			*d.at = d.to
		}
	}
	return t
}

// start fills in what was left open, at the first request.
func (c *Client) start() {
	c.once.Do(func() {
		c.Times = c.Times.withDefaults()
		if c.Endpoint == "" {
			c.Endpoint = DefaultEndpoint
		}
		c.Endpoint = strings.TrimRight(c.Endpoint, "/")
		if c.Connections <= 0 {
			c.Connections = 8
		}
		if c.segmentBytes == 0 {
			c.manyFrom, c.segmentBytes, c.saveBytes = manyFrom, segmentBytes, saveBytes
		}
		if c.Logf == nil {
			c.Logf = func(string, ...any) {}
		}
		if c.Transport == nil {
			c.Transport = c.transport()
		}
		c.slot = make(chan struct{}, c.Connections)
		c.http = &http.Client{
			Transport:     c.Transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	})
}

// transport returns one that opens a connection for every request that runs: HTTP/2
// would send all of them over one, which is slower for ranges of one file.
func (c *Client) transport() *http.Transport {
	var only http.Protocols
	only.SetHTTP1(true)
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: c.Times.Connect, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:   c.Times.Connect,
		ResponseHeaderTimeout: c.Times.Header,
		MaxIdleConnsPerHost:   c.Connections,
		IdleConnTimeout:       90 * time.Second,
		DisableCompression:    true,
		Protocols:             &only,
		ReadBufferSize:        64 << 10,
	}
}

// escape returns the parts of a path for a URL, with the slashes between them.
func escape(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}
