package mpt

// SimulateLookup returns how many times as fast an answer is written with guesses by the text if
// a step of n rows takes cost[n-1].
func SimulateLookup(prompt, answer []int32, cost []float64) float64 {
	var c stepCosts
	l := newLookup(nil)
	text, took := prompt, 0.0
	for at := 0; at < len(answer); {
		l.follow(text, answer[at])
		text = append(text[:len(text):len(text)], answer[at])
		at++
		n := min(len(cost)-1, len(answer)-at, DefaultDraftMax)
		ids, odds := l.guess(nil, nil, n)
		n = c.worth(1, odds, 0)
		c.observe(1+n, cost[n])
		took += cost[n]
		for i := 0; i < n && at < len(answer) && answer[at] == ids[i]; i++ {
			l.follow(text, answer[at])
			text = append(text[:len(text):len(text)], answer[at])
			at++
		}
	}
	return float64(len(answer)) * cost[0] / took
}
