package check

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// scaledObject is what the manifests use of KEDA's type of that name.
type scaledObject struct {
	meta.TypeMeta   `json:",inline"`
	meta.ObjectMeta `json:"metadata"`
	Spec            struct {
		ScaleTargetRef  struct{ Name string }
		MinReplicaCount *int32
		MaxReplicaCount *int32
		CooldownPeriod  *int32
		Triggers        []struct {
			Type     string
			Metadata map[string]string
		}
	}
}

// queuePods returns the templates of the queue's pods by the names of what makes them.
func queuePods(all []any) map[string]core.PodTemplateSpec {
	pods := map[string]core.PodTemplateSpec{}
	for _, x := range all {
		switch x := x.(type) {
		case *apps.StatefulSet:
			pods[x.Name] = x.Spec.Template
		case *apps.Deployment:
			pods[x.Name] = x.Spec.Template
		case *batch.Job:
			pods[x.Name] = x.Spec.Template
		}
	}
	return pods
}

// Pods of the queue run without rights, mount what is there, find the server and may reach it.
func TestQueuePods(t *testing.T) {
	all := loadFrom(t, "../kubernetes/queue/*.yaml")
	pods := queuePods(all)
	if len(pods) != 4 {
		t.Fatalf("pods of %v", slices.Sorted(maps.Keys(pods)))
	}
	set, service := find[*apps.StatefulSet](t, all), find[*core.Service](t, all)
	for name, p := range pods {
		if s := p.Spec.SecurityContext; s == nil || s.RunAsNonRoot == nil || !*s.RunAsNonRoot {
			t.Errorf("%s may run as root", name)
		}
		volumes := map[string]bool{}
		for _, v := range p.Spec.Volumes {
			volumes[v.Name] = true
			if c := v.PersistentVolumeClaim; c != nil && c.ClaimName != "mpt-models" && c.ClaimName != "mpt-batch" {
				t.Errorf("%s claims %s, which is not there", name, c.ClaimName)
			}
		}
		if name == set.Name {
			for _, c := range set.Spec.VolumeClaimTemplates {
				volumes[c.Name] = true
			}
		}
		c := p.Spec.Containers[0]
		checkContainer(t, c, volumes)
		if strings.HasSuffix(c.Image, ":latest") || !strings.Contains(c.Image, ":") {
			t.Errorf("%s has the image %s", name, c.Image)
		}
		if name == set.Name {
			continue
		}
		if p.Labels["app.kubernetes.io/part-of"] != "mpt-queue" {
			t.Errorf("the policy keeps %s from the server", name)
		}
		if c.Env[0].Name != "NATS_URL" || c.Env[0].Value != "nats://"+service.Name+":4222" {
			t.Errorf("%s looks for the server at %v", name, c.Env)
		}
	}
}

// The service, its ports, probes and the policy belong to the server.
func TestQueueServer(t *testing.T) {
	all := loadFrom(t, "../kubernetes/queue/*.yaml")
	set, service := find[*apps.StatefulSet](t, all), find[*core.Service](t, all)
	c := set.Spec.Template.Spec.Containers[0]
	ports := map[string]int32{}
	for _, p := range c.Ports {
		ports[p.Name] = p.ContainerPort
	}
	for _, p := range service.Spec.Ports {
		if ports[p.TargetPort.String()] != p.Port {
			t.Errorf("port %d leads to %v", p.Port, p.TargetPort.String())
		}
	}
	for _, p := range []*core.Probe{c.StartupProbe, c.ReadinessProbe, c.LivenessProbe} {
		if p == nil || p.HTTPGet == nil || p.HTTPGet.Port.String() != "monitor" {
			t.Errorf("probe %v", p)
		}
	}
	for _, sel := range []map[string]string{service.Spec.Selector, set.Spec.Selector.MatchLabels, find[*networking.NetworkPolicy](t, all).Spec.PodSelector.MatchLabels} {
		for k, v := range sel {
			if set.Spec.Template.Labels[k] != v {
				t.Errorf("%s=%s is not the server", k, v)
			}
		}
	}
	if set.Spec.ServiceName != service.Name {
		t.Error(set.Spec.ServiceName)
	}
	conf := find[*core.ConfigMap](t, all).Data["nats.conf"]
	for _, want := range []string{"port: 4222", "monitor_port: 8222", "store_dir: /data", "sync_interval: always"} {
		if !strings.Contains(conf, want) {
			t.Errorf("the configuration has no %s", want)
		}
	}
}

// What scales workers asks the right stream, and submits and workers agree on what answers depend on.
func TestQueueWorkers(t *testing.T) {
	all := loadFrom(t, "../kubernetes/queue/*.yaml")
	x := find[*scaledObject](t, all)
	d := find[*apps.Deployment](t, all)
	if x.Spec.ScaleTargetRef.Name != d.Name || d.Spec.Replicas != nil {
		t.Errorf("%s is scaled, %s has %v replicas", x.Spec.ScaleTargetRef.Name, d.Name, d.Spec.Replicas)
	}
	m := x.Spec.Triggers[0].Metadata
	if m["stream"] != "MPT_REQ" || !regexp.MustCompile(`^work-[0-9a-f]{16}$`).MatchString(m["consumer"]) ||
		!strings.HasPrefix(m["natsServerMonitoringEndpoint"], find[*core.Service](t, all).Name+".") {
		t.Errorf("it asks %v", m)
	}
	pods := queuePods(all)
	work, submit, collect := pods["mpt-worker"].Spec.Containers[0].Args, pods["mpt-submit"].Spec.Containers[0].Args, pods["mpt-collect"].Spec.Containers[0].Args
	after := func(args []string, flag string) string {
		i := slices.Index(args, flag)
		if i < 0 {
			return ""
		}
		return args[i+1]
	}
	for _, flag := range []string{"-m", "-c"} {
		if after(work, flag) != after(submit, flag) {
			t.Errorf("%s is %s for workers and %s for what is submitted", flag, after(work, flag), after(submit, flag))
		}
	}
	if after(submit, "--name") != collect[2] || work[1] != "work" || submit[1] != "submit" || collect[1] != "collect" {
		t.Errorf("%v, %v, %v", work, submit, collect)
	}
}
