package sampling

import (
	"math"
	"slices"
)

// ref is a candidate in the eyes of the oracles, which work in float64, sort
// everything and know nothing of this package's tricks.
type ref struct {
	id       int32
	logit, p float64
}

// shares returns list, best first, with its softmax.
func shares(list []ref) []ref {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b ref) int {
		switch {
		case a.logit > b.logit || a.logit == b.logit && a.id < b.id:
			return -1
		}
		return 1
	})
	sum := 0.0
	for i := range list {
		list[i].p = math.Exp(list[i].logit - list[0].logit)
		sum += list[i].p
	}
	for i := range list {
		list[i].p /= sum
	}
	return list
}

func refTopK(p *Params, list []ref, _ []int32) []ref {
	return shares(list)[:min(p.TopK, len(list))]
}

func refTopP(p *Params, list []ref, _ []int32) []ref {
	list = shares(list)
	sum := 0.0
	for i, x := range list {
		if sum += x.p; sum >= float64(p.TopP) {
			return list[:i+1]
		}
	}
	return list
}

func refMinP(p *Params, list []ref, _ []int32) []ref {
	list = shares(list)
	n := 1
	for n < len(list) && list[n].p >= float64(p.MinP)*list[0].p*(1-1e-12) {
		n++
	}
	return list[:n]
}

func refTypical(p *Params, list []ref, _ []int32) []ref {
	list = shares(list)
	entropy := 0.0
	for _, x := range list {
		if x.p > 0 {
			entropy -= x.p * math.Log(x.p)
		}
	}
	off := func(x ref) float64 { return math.Abs(-math.Log(x.p) - entropy) }
	slices.SortStableFunc(list, func(a, b ref) int {
		switch d := off(a) - off(b); {
		case d < -1e-6:
			return -1
		case d > 1e-6:
			return 1
		}
		return 0
	})
	sum := 0.0
	for i, x := range list {
		if sum += x.p; sum > float64(p.Typical) {
			return list[:i+1]
		}
	}
	return list
}

func refTopNSigma(p *Params, list []ref, _ []int32) []ref {
	list = shares(list)
	mean, n := 0.0, 0.0
	for _, x := range list {
		if !math.IsInf(x.logit, -1) {
			mean += x.logit
			n++
		}
	}
	mean /= n
	variance := 0.0
	for _, x := range list {
		if !math.IsInf(x.logit, -1) {
			variance += (x.logit - mean) * (x.logit - mean) / n
		}
	}
	cut := list[0].logit - float64(p.TopNSigma)*math.Sqrt(variance)
	for i, x := range list {
		if x.logit < cut {
			return list[:i]
		}
	}
	return list
}

func refXTC(p *Params, list []ref, _ []int32) []ref {
	list = shares(list)
	n := 0
	for n+1 < len(list) && list[n+1].p >= float64(p.XTCThreshold) {
		n++
	}
	return list[n:]
}

func refTemperature(p *Params, list []ref, _ []int32) []ref {
	for i := range list {
		list[i].logit /= float64(p.Temp)
	}
	return list
}

func refPenalties(p *Params, list []ref, past []int32) []ref {
	if n := p.RepeatLastN; n >= 0 && n < len(past) {
		past = past[len(past)-n:]
	}
	for i, x := range list {
		seen := 0
		for _, id := range past {
			if id == x.id {
				seen++
			}
		}
		if seen == 0 {
			continue
		}
		if x.logit > 0 {
			x.logit /= float64(p.RepeatPenalty)
		} else {
			x.logit *= float64(p.RepeatPenalty)
		}
		list[i].logit = x.logit - float64(seen)*float64(p.FrequencyPenalty) - float64(p.PresencePenalty)
	}
	return list
}

// refDRY looks for every token and every earlier place at which it stands, how
// far the text before agrees with the end of the text.
func refDRY(p *Params, list []ref, past []int32) []ref {
	if n := p.DRYPenaltyLastN; n >= 0 && n < len(past) {
		past = past[len(past)-n:]
	}
	if len(past) <= p.DRYAllowedLength {
		return list
	}
	for i, x := range list {
		longest := -1
		for at, id := range past {
			if id != x.id {
				continue
			}
			n := 0
			for n < at && past[at-1-n] == past[len(past)-1-n] {
				n++
			}
			if at > 0 {
				longest = max(longest, n)
			}
		}
		if longest >= p.DRYAllowedLength {
			list[i].logit -= float64(p.DRYMultiplier) * math.Pow(float64(p.DRYBase), float64(longest-p.DRYAllowedLength))
		}
	}
	return list
}
