package server

import (
	"fmt"
	"math"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Rate is how much each key may ask for: so many requests, or tokens, at once, and as many again as
// time goes by, N of them in Per. The zero value is no limit.
type Rate struct {
	N   int
	Per time.Duration
}

// mostRate is how many requests or tokens a limit may be of.
const mostRate = 1_000_000_000

// ParseRate reads a limit of what, such as requests: 60, which is that of a minute, 5/s, 60/m, 1000/h
// or 5000/d.
func ParseRate(text, what string) (Rate, error) {
	number, unit, has := strings.Cut(text, "/")
	per, known := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}[unit]
	if !has {
		per, known = time.Minute, true
	}
	n, err := strconv.Atoi(number)
	if err != nil || !known || n < 1 || n > mostRate {
		return Rate{}, fmt.Errorf("%q: want %s a minute from 1 to %d, such as 60, or another time, such as 5/s, 1000/h or 5000/d",
			text, what, mostRate)
	}
	return Rate{n, per}, nil
}

// mostBuckets is how many keys or addresses are told apart.
const mostBuckets = 1 << 16

// The units of limits, as they are in the heads of answers.
const (
	inRequests = "request"
	inTokens   = "token"
)

// throttle counts what each key, or address where there are no keys, asks for: requests as they come,
// tokens when an answer has ended, for how many there will be nobody knows before.
type throttle struct {
	rate Rate
	unit string

	mu sync.Mutex
	by map[string]*rate.Limiter
}

// free are the paths that have the model do nothing: they are not counted.
var free = map[string]bool{
	"/tokenize": true, "/detokenize": true, "/apply-template": true, "/messages/count_tokens": true,
	"/responses/input_tokens": true, "/api/show": true,
}

// limit counts a request at a route, tells in the answer's head what is left, and refuses what is too
// much.
func (s *Server) limit(w http.ResponseWriter, r *http.Request, route *route) *apiError {
	if route.method != "POST" || free[route.path] || fixedOf(r) != nil {
		return nil
	}
	now := time.Now()
	if err := s.tokens.check(w, r, now); err != nil { // first: who is refused has asked for nothing
		return err
	}
	return s.throttle.check(w, r, now)
}

// check counts a request, or sees whether there are tokens left for it.
func (l *throttle) check(w http.ResponseWriter, r *http.Request, now time.Time) *apiError {
	if l.rate.N == 0 {
		return nil
	}
	b := l.bucket(aboutOf(r).key, now)
	ok := l.unit == inTokens && b.TokensAt(now) >= 1 || l.unit == inRequests && b.AllowN(now, 1)
	left := b.TokensAt(now)
	h, unit := w.Header(), strings.ToUpper(l.unit[:1])+l.unit[1:]+"s"
	h.Set("X-Ratelimit-Limit-"+unit, strconv.Itoa(l.rate.N))
	h.Set("X-Ratelimit-Remaining-"+unit, strconv.Itoa(int(math.Max(left, 0))))
	h.Set("X-Ratelimit-Reset-"+unit, l.after(float64(l.rate.N)-left).Round(time.Millisecond).String())
	if ok {
		return nil
	}
	wait := max(l.after(1-left), time.Millisecond)
	return &apiError{Status: 429, Type: "rate_limit_error", Code: "rate_limit_exceeded",
		Message: fmt.Sprintf("more than %s: try again in %v", l, max(wait.Round(time.Millisecond), time.Millisecond)),
		Head: map[string]string{
			"Retry-After":    strconv.FormatInt(int64(math.Ceil(wait.Seconds())), 10),
			"Retry-After-Ms": strconv.FormatInt(int64(math.Ceil(wait.Seconds()*1000)), 10),
		}}
}

// spend counts tokens that were read or written for a key. There may be more than it had left: who owes
// some waits until they have come back.
func (l *throttle) spend(key string, tokens int) {
	if l.rate.N == 0 {
		return
	}
	now := time.Now()
	b := l.bucket(key, now)
	for ; tokens > 0; tokens -= l.rate.N {
		b.ReserveN(now, min(tokens, l.rate.N))
	}
}

// String is the limit in words.
func (l *throttle) String() string {
	r := l.rate
	per := map[time.Duration]string{time.Second: "a second", time.Minute: "a minute", time.Hour: "an hour", 24 * time.Hour: "a day"}[r.Per]
	if r.N == 1 {
		return "1 " + l.unit + " " + per
	}
	return fmt.Sprintf("%d %ss %s", r.N, l.unit, per)
}

// after returns how long it takes until so many more are possible, or a century if it takes longer.
func (l *throttle) after(n float64) time.Duration {
	const most = 100 * 365 * 24 * time.Hour
	return time.Duration(min(n*float64(l.rate.Per)/float64(l.rate.N), float64(most)))
}

// bucket returns what is known of who asks. Those who have not asked for long are as new ones, and
// forgotten when there are too many.
func (l *throttle) bucket(key string, now time.Time) *rate.Limiter {
	key = subscriber(key)
	l.mu.Lock()
	defer l.mu.Unlock()
	if b := l.by[key]; b != nil {
		return b
	}
	if len(l.by) >= mostBuckets {
		l.shrink(now)
	}
	if l.by == nil {
		l.by = map[string]*rate.Limiter{}
	}
	b := rate.NewLimiter(rate.Limit(float64(l.rate.N)/l.rate.Per.Seconds()), l.rate.N)
	l.by[key] = b
	return b
}

// shrink forgets who may ask as if it were new, and if that is not enough, anybody.
func (l *throttle) shrink(now time.Time) {
	for key, b := range l.by {
		if b.TokensAt(now) >= float64(l.rate.N) {
			delete(l.by, key)
		}
	}
	for key := range l.by {
		if len(l.by) < mostBuckets*3/4 {
			return
		}
		delete(l.by, key)
	}
}

// subscriber is who an address belongs to: of version 6, whoever has one has 2^64 of them.
func subscriber(key string) string {
	ip := net.ParseIP(key)
	if ip == nil || ip.To4() != nil {
		return key
	}
	return ip.Mask(net.CIDRMask(64, 128)).String()
}
