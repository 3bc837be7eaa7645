package check

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	apps "k8s.io/api/apps/v1"
	scaling "k8s.io/api/autoscaling/v2"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"
)

// kinds are the types of the kinds that the manifests may have.
var kinds = map[meta.TypeMeta]func() any{
	{APIVersion: "v1", Kind: "PersistentVolumeClaim"}:                      func() any { return &core.PersistentVolumeClaim{} },
	{APIVersion: "v1", Kind: "Service"}:                                    func() any { return &core.Service{} },
	{APIVersion: "v1", Kind: "ConfigMap"}:                                  func() any { return &core.ConfigMap{} },
	{APIVersion: "apps/v1", Kind: "Deployment"}:                            func() any { return &apps.Deployment{} },
	{APIVersion: "apps/v1", Kind: "StatefulSet"}:                           func() any { return &apps.StatefulSet{} },
	{APIVersion: "keda.sh/v1alpha1", Kind: "ScaledObject"}:                 func() any { return &scaledObject{} },
	{APIVersion: "batch/v1", Kind: "Job"}:                                  func() any { return &batch.Job{} },
	{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"}:            func() any { return &networking.NetworkPolicy{} },
	{APIVersion: "autoscaling/v2", Kind: "HorizontalPodAutoscaler"}:        func() any { return &scaling.HorizontalPodAutoscaler{} },
	{APIVersion: "policy/v1", Kind: "PodDisruptionBudget"}:                 func() any { return &policy.PodDisruptionBudget{} },
	{APIVersion: "kustomize.config.k8s.io/v1beta1", Kind: "Kustomization"}: func() any { return &kustomization{} },
}

// kustomization is what the manifests use of that file.
type kustomization struct {
	meta.TypeMeta `json:",inline"`
	Resources     []string `json:"resources"`
	Images        []struct {
		Name   string `json:"name"`
		NewTag string `json:"newTag"`
	} `json:"images"`
}

// load reads all documents of the manifests.
func load(t *testing.T) (all []any) { return loadFrom(t, "../kubernetes/*.yaml") }

func loadFrom(t *testing.T, pattern string) (all []any) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no manifests (%v)", err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for doc := range bytes.SplitSeq(b, []byte("\n---\n")) {
			x, err := decode(doc)
			if err != nil {
				t.Errorf("%s: %v", f, err)
				continue
			}
			all = append(all, x)
		}
	}
	return all
}

// find returns the only document of a type.
func find[T any](t *testing.T, all []any) T {
	t.Helper()
	var found []T
	for _, x := range all {
		if y, ok := x.(T); ok {
			found = append(found, y)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d documents of type %T, want 1", len(found), *new(T))
	}
	return found[0]
}

// pods returns the templates of pods.
func pods(t *testing.T, all []any) []core.PodTemplateSpec {
	return []core.PodTemplateSpec{find[*apps.Deployment](t, all).Spec.Template, find[*batch.Job](t, all).Spec.Template}
}

// The kustomization names the other files, all of them.
func TestKustomization(t *testing.T) {
	k := find[*kustomization](t, load(t))
	files, _ := filepath.Glob("../kubernetes/*.yaml")
	if len(k.Resources) != len(files)-1 {
		t.Errorf("%d resources, and %d files beside it", len(k.Resources), len(files)-1)
	}
	for _, r := range k.Resources {
		if _, err := os.Stat(filepath.Join("../kubernetes", r)); err != nil {
			t.Error(err)
		}
	}
	for _, i := range k.Images {
		if i.NewTag == "" || i.NewTag == "latest" {
			t.Errorf("image %s has the tag %q", i.Name, i.NewTag)
		}
	}
}

// What selects pods selects those of the deployment.
func TestSelectors(t *testing.T) {
	all := load(t)
	d := find[*apps.Deployment](t, all)
	for name, sel := range map[string]map[string]string{
		"deployment": d.Spec.Selector.MatchLabels,
		"service":    find[*core.Service](t, all).Spec.Selector,
		"policy":     find[*networking.NetworkPolicy](t, all).Spec.PodSelector.MatchLabels,
		"budget":     find[*policy.PodDisruptionBudget](t, all).Spec.Selector.MatchLabels,
		"spread":     d.Spec.Template.Spec.TopologySpreadConstraints[0].LabelSelector.MatchLabels,
	} {
		for k, v := range sel {
			if d.Spec.Template.Labels[k] != v {
				t.Errorf("%s selects %s=%s, which pods do not have", name, k, v)
			}
		}
		if len(sel) == 0 {
			t.Errorf("%s selects all pods", name)
		}
	}
	if h := find[*scaling.HorizontalPodAutoscaler](t, all).Spec.ScaleTargetRef; h.Name != d.Name || h.Kind != d.Kind || h.APIVersion != d.APIVersion {
		t.Errorf("what is scaled is %+v, not the deployment", h)
	}
}

// Ports have the names by which probes and the service call them.
func TestPorts(t *testing.T) {
	all := load(t)
	c := find[*apps.Deployment](t, all).Spec.Template.Spec.Containers[0]
	named := func(p intstr.IntOrString) bool {
		return len(c.Ports) == 1 && c.Ports[0].Name == p.String()
	}
	for _, p := range []*core.Probe{c.StartupProbe, c.ReadinessProbe, c.LivenessProbe} {
		if p == nil || p.HTTPGet == nil || !named(p.HTTPGet.Port) {
			t.Errorf("probe %v asks a port that is not there", p)
		}
	}
	if p := find[*core.Service](t, all).Spec.Ports[0].TargetPort; !named(p) {
		t.Errorf("the service leads to port %v", p.String())
	}
}

// Pods run without rights, and with as much memory as they ask for at least.
func TestPods(t *testing.T) {
	all := load(t)
	claim := find[*core.PersistentVolumeClaim](t, all).Name
	for _, p := range pods(t, all) {
		if s := p.Spec.SecurityContext; s == nil || s.RunAsNonRoot == nil || !*s.RunAsNonRoot {
			t.Errorf("%v may run as root", p.Labels)
		}
		volumes := map[string]bool{}
		for _, v := range p.Spec.Volumes {
			volumes[v.Name] = true
			if c := v.PersistentVolumeClaim; c != nil && c.ClaimName != claim {
				t.Errorf("%v claims the volume %s, which is not there", p.Labels, c.ClaimName)
			}
		}
		for _, c := range p.Spec.Containers {
			checkContainer(t, c, volumes)
		}
	}
}

func checkContainer(t *testing.T, c core.Container, volumes map[string]bool) {
	t.Helper()
	if s := c.SecurityContext; s == nil || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem ||
		s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation {
		t.Errorf("%s may write to its image, or gain rights", c.Name)
	}
	for _, m := range c.VolumeMounts {
		if !volumes[m.Name] {
			t.Errorf("%s mounts %s, which is no volume", c.Name, m.Name)
		}
	}
	for name, want := range c.Resources.Requests {
		if limit, ok := c.Resources.Limits[name]; !ok || limit.Cmp(want) < 0 {
			t.Errorf("%s asks for %v of %s, and may have %v", c.Name, want.String(), name, limit.String())
		}
	}
}

// The shards of a batch are as many as its pods, each pod answers its own, and the merge reads
// what they write.
func TestBatch(t *testing.T) {
	var jobs []*batch.Job
	var claims []string
	for _, x := range loadFrom(t, "../kubernetes/batch/*.yaml") {
		switch x := x.(type) {
		case *batch.Job:
			jobs = append(jobs, x)
		case *core.PersistentVolumeClaim:
			claims = append(claims, x.Name)
		}
	}
	if len(jobs) != 2 || len(claims) != 1 {
		t.Fatalf("%d jobs, the claims %v", len(jobs), claims)
	}
	claims = append(claims, find[*core.PersistentVolumeClaim](t, load(t)).Name)
	for _, j := range jobs {
		volumes := map[string]bool{}
		for _, v := range j.Spec.Template.Spec.Volumes {
			volumes[v.Name] = true
			if !slices.Contains(claims, v.PersistentVolumeClaim.ClaimName) {
				t.Errorf("%s claims %s, which is not there", j.Name, v.PersistentVolumeClaim.ClaimName)
			}
		}
		if s := j.Spec.Template.Spec.SecurityContext; s == nil || s.RunAsNonRoot == nil || !*s.RunAsNonRoot {
			t.Errorf("%s may run as root", j.Name)
		}
		for _, c := range j.Spec.Template.Spec.Containers {
			checkContainer(t, c, volumes)
		}
	}
	merge, shards := jobs[0], jobs[1] // by the names of their files
	args := shards.Spec.Template.Spec.Containers[0].Args
	if want := fmt.Sprintf("$(JOB_COMPLETION_INDEX)/%d", *shards.Spec.Completions); args[len(args)-1] != want ||
		*shards.Spec.CompletionMode != batch.IndexedCompletion {
		t.Errorf("the shards are %v, want %s", args, want)
	}
	into := merge.Spec.Template.Spec.Containers[0].Args
	if i := slices.Index(args, "-o"); i < 0 || args[i+1] != into[len(into)-1] || !slices.Contains(args, "--created") {
		t.Errorf("%v is merged into %v", args, into)
	}
}

// The decoder is strict: what it does not know is an error.
func TestStrict(t *testing.T) {
	for _, text := range []string{
		"apiVersion: v1\nkind: Service\nspec: {selectors: {}}\n", "apiVersion: v1\nkind: Thing\n",
		"apiVersion: v1\nkind: Service\nkind: Service\n", "apiVersion: v1\nkind: Service\nspec: {ports: [{port: \"x\"}]}\n",
	} {
		if _, err := decode([]byte(text)); err == nil {
			t.Errorf("%q is read", text)
		}
	}
}

func decode(doc []byte) (any, error) {
	var m meta.TypeMeta
	if err := yaml.Unmarshal(doc, &m); err != nil {
		return nil, err
	}
	build, ok := kinds[m]
	if !ok {
		return nil, &unknownKind{m}
	}
	x := build()
	return x, yaml.UnmarshalStrict(doc, x)
}

// unknownKind is the error of a kind that is not in the list.
type unknownKind struct{ meta.TypeMeta }

func (u *unknownKind) Error() string {
	return "the kind " + u.APIVersion + " " + u.Kind + " is not known"
}
