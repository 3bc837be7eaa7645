// Kld measures how far quantised files of a model are from the model itself: the KL
// divergence of all predictions on a text, for every type, by default (models then
// calibrate themselves), with an importance matrix, and with one that also has input
// correlations, beside files of the same type that another program has made. It prints a
// table in Markdown.
//
//	go run ./scripts/kld -model F16.gguf -text valid.txt -chunks 60 -imatrix m.dat -peer llama-quantize
//
// Quantised files are decoded to F16 and run as such, so that nothing but the weights
// differs: not the rounding of activations, and no type needs kernels.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"mptgo/gguf"
)

// sixTypes are the types whose mean the documentation gives.
const sixTypes = "Q4_0,Q4_K_M,Q5_K_M,Q6_K,IQ4_NL,IQ4_XS"

// bench is what a run needs.
type bench struct {
	dir, mpt, peer, model, text string
	imatrix, products           string
	search                      string
	without                     bool
	chunks                      int
}

func main() {
	log.SetFlags(0)
	var b bench
	types := flag.String("types", sixTypes, "the `TYPES`, with commas")
	flag.StringVar(&b.model, "model", "", "the model, a GGUF `FILE` of F16, BF16 or F32")
	flag.StringVar(&b.text, "text", "", "the text, a `FILE`")
	flag.StringVar(&b.imatrix, "imatrix", "", "an importance matrix, a `FILE` of the older kind; none: only without")
	flag.StringVar(&b.products, "products", "", "an importance matrix with input correlations for ours, a GGUF `FILE` of the same text or of none; the peer has -imatrix, if that is given")
	flag.BoolVar(&b.without, "without", true, "measure without importance matrix, too")
	flag.StringVar(&b.peer, "peer", "", "llama-quantize, a `PROGRAM`; none: only ours")
	flag.StringVar(&b.search, "search", "auto", "the `SEARCH` of ours")
	flag.IntVar(&b.chunks, "chunks", 60, "evaluate `N` chunks of 512 tokens")
	flag.Parse()
	if b.model == "" || b.text == "" {
		log.Fatal("kld: -model and -text are needed")
	}
	if err := b.run(strings.Split(*types, ",")); err != nil {
		log.Fatal("kld: ", err)
	}
}

// run prints the table.
func (b *bench) run(types []string) (err error) {
	if b.dir, err = os.MkdirTemp("", "kld"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	b.mpt = b.path("mpt")
	if _, err := command("go", "build", "-o", b.mpt, "./cmd/mpt"); err != nil {
		return err
	}
	if _, err := command(b.mpt, b.perplexity(b.model, "--save-logits", b.path("base"))...); err != nil {
		return err
	}
	for _, m := range []struct {
		wanted            bool
		name, ours, peers string
	}{
		{b.without, "", "", ""},
		{b.imatrix != "" && b.products == "", ", importance", b.imatrix, b.imatrix},
		{b.products != "", ", importance and correlations", b.products, b.imatrix},
	} {
		if !m.wanted {
			continue
		}
		if err := b.table(types, m.name, m.ours, m.peers); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

func (b *bench) perplexity(model string, more ...string) []string {
	return append([]string{"perplexity", "-m", model, "-f", b.text, "--chunks", fmt.Sprint(b.chunks), "-o", "json"}, more...)
}

// table prints the rows of all types and the mean of their ratios.
func (b *bench) table(types []string, name, ourMatrix, peerMatrix string) error {
	fmt.Printf("\n| type%s | bits | MiB | perplexity | divergence | peer: bits | MiB | perplexity | divergence | ratio |\n", name)
	fmt.Println("|---|---|---|---|---|---|---|---|---|---|")
	sum, n, worst := 0., 0, 0.
	for _, t := range types {
		ours, err := b.ours(t, ourMatrix)
		if err != nil {
			return err
		}
		fmt.Printf("| %s | %s ", t, ours)
		if b.peer == "" {
			fmt.Println("| | | | | |")
			continue
		}
		peer, err := b.peers(t, peerMatrix)
		if err != nil {
			return err
		}
		ratio := ours.kld / peer.kld
		sum, n, worst = sum+math.Log(ratio), n+1, max(worst, ratio)
		fmt.Printf("| %s | %.3f |\n", peer, ratio)
	}
	if n > 0 {
		fmt.Printf("\nGeometric mean of the ratios %.3f, worst %.3f.\n", math.Exp(sum/float64(n)), worst)
	}
	return nil
}

func (b *bench) ours(typ, imatrix string) (result, error) {
	args := []string{"quantize", b.model, b.path("q.gguf"), "--type", typ, "--search", b.search, "--force"}
	if imatrix != "" {
		args = append(args, "--imatrix", imatrix)
	}
	return b.measure(b.mpt, args...)
}

func (b *bench) peers(typ, imatrix string) (result, error) {
	args := []string{b.model, b.path("q.gguf"), typ, "2"}
	if imatrix != "" {
		args = append([]string{"--imatrix", imatrix}, args...)
	}
	return b.measure(b.peer, args...)
}

// result is what is known of a file.
type result struct {
	bits, mib, perplexity, kld, kldErr float64
}

func (r result) String() string {
	return fmt.Sprintf("%.3f | %.2f | %.3f | %.5f +/- %.5f", r.bits, r.mib, r.perplexity, r.kld, r.kldErr)
}

// measure makes the file q.gguf with a program, decodes it and compares it with the base.
func (b *bench) measure(program string, args ...string) (r result, err error) {
	q, f16 := b.path("q.gguf"), b.path("f16.gguf")
	if _, err = command(program, args...); err != nil {
		return r, err
	}
	if r.bits, r.mib, err = size(q); err != nil {
		return r, err
	}
	if _, err = command(b.mpt, "quantize", q, f16, "--type", "F16", "--allow-requantize", "--force"); err != nil {
		return r, err
	}
	out, err := command(b.mpt, b.perplexity(f16, "--kl-divergence", b.path("base"))...)
	if err != nil {
		return r, err
	}
	var d struct {
		Perplexity struct {
			Perplexity float64
		}
		KLD    float64
		StdErr float64 `json:"kld_stderr"`
	}
	err = json.Unmarshal(out, &d)
	r.perplexity, r.kld, r.kldErr = d.Perplexity.Perplexity, d.KLD, d.StdErr
	return r, err
}

// size returns the bits of a weight and the size of a file.
func size(path string) (bits, mib float64, err error) {
	f, err := gguf.Open(path)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	var bytes, values float64
	for _, t := range f.Tensors() {
		bytes, values = bytes+float64(t.Size()), values+float64(t.Rows()*t.Shape[0])
	}
	return 8 * bytes / values, float64(f.Size()) / (1 << 20), nil
}

// command runs a program and returns what it prints; its talk is shown if it fails.
func command(name string, args ...string) ([]byte, error) {
	cmd := exec.Command(name, args...)
	var talk strings.Builder
	cmd.Stderr = &talk
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, talk.String())
	}
	return out, err
}
