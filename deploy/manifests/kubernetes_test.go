package manifests

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

// TestKubernetes checks what every way to install wxgate in a cluster promises.
func TestKubernetes(t *testing.T) {
	for name, o := range map[string]objects{
		"gateway": kustomized(t, "gateway"),
		"sidecar": kustomized(t, "sidecar"),
		"helm":    templated(t, requiredValues()),
	} {
		t.Run(name, func(t *testing.T) {
			checkSelectors(t, o)
			checkPod(t, o)
			for _, c := range o.deployment.Spec.Template.Spec.Containers {
				checkContainer(t, c)
			}
			checkProbes(t, o.container(t, "wxgate"))
			checkConfiguration(t, o)
			checkPolicy(t, o.policies[o.deployment.Name])
		})
	}
}

// checkSelectors: a service, a budget or a policy that selects no pod does nothing, and no
// one notices.
func checkSelectors(t *testing.T, o objects) {
	t.Helper()
	labels := o.deployment.Spec.Template.Labels
	for what, selector := range map[string]map[string]string{
		"deployment": o.deployment.Spec.Selector.MatchLabels,
		"service":    o.service.Spec.Selector,
		"budget":     o.budget.Spec.Selector.MatchLabels,
		"policy":     o.policies[o.deployment.Name].Spec.PodSelector.MatchLabels,
		"spread":     o.deployment.Spec.Template.Spec.TopologySpreadConstraints[0].LabelSelector.MatchLabels,
	} {
		if len(selector) == 0 {
			t.Errorf("the selector of the %s is empty", what)
		}
		for key, value := range selector {
			if labels[key] != value {
				t.Errorf("the selector of the %s has %s=%s, the pods have %v", what, key, value, labels)
			}
		}
	}
	if port := o.service.Spec.Ports[0].TargetPort.StrVal; port != "http" {
		t.Errorf("the service sends to port %q", port)
	}
	if o.deployment.Spec.Template.Spec.ServiceAccountName != o.account.Name {
		t.Errorf("the pods have another service account than %s", o.account.Name)
	}
}

func checkPod(t *testing.T, o objects) {
	t.Helper()
	pod := o.deployment.Spec.Template.Spec
	security := pod.SecurityContext
	if !*security.RunAsNonRoot || *security.RunAsUser != 65532 || *security.FSGroup != 65532 || security.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Errorf("security context of the pod: %+v", security)
	}
	if *pod.AutomountServiceAccountToken || *o.account.AutomountServiceAccountToken {
		t.Error("the pods get a token of the cluster")
	}
	if *o.deployment.Spec.Replicas < 2 || o.budget.Spec.MinAvailable.IntValue() != 1 {
		t.Errorf("%d replicas, budget %+v", *o.deployment.Spec.Replicas, o.budget.Spec)
	}
	if stopped := o.deployment.Spec.Strategy.RollingUpdate.MaxUnavailable; stopped.IntValue() != 0 {
		t.Errorf("an update stops %v pods before it starts new ones", stopped)
	}
	took := duration(t, o.config.Data["Caddyfile"], "shutdown_delay") + duration(t, o.config.Data["Caddyfile"], "grace_period")
	if grace := time.Duration(*pod.TerminationGracePeriodSeconds) * time.Second; grace < took+10*time.Second {
		t.Errorf("a pod is killed after %v, wxgate needs %v and 10s", grace, took)
	}
}

// duration returns an option of a Caddyfile.
func duration(t *testing.T, caddyfile, option string) time.Duration {
	t.Helper()
	match := regexp.MustCompile(`(?m)^\s*` + option + ` (\S+)$`).FindStringSubmatch(caddyfile)
	if match == nil {
		t.Fatalf("no %s in the Caddyfile", option)
	}
	d, err := time.ParseDuration(match[1])
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func checkContainer(t *testing.T, c corev1.Container) {
	t.Helper()
	s := c.SecurityContext
	if *s.AllowPrivilegeEscalation || !*s.ReadOnlyRootFilesystem || !slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) || len(s.Capabilities.Add) > 0 {
		t.Errorf("%s: security context %+v", c.Name, s)
	}
	if c.Resources.Limits.Memory().IsZero() || c.Resources.Requests.Cpu().IsZero() || !c.Resources.Limits.Cpu().IsZero() {
		t.Errorf("%s: resources %+v", c.Name, c.Resources)
	}
}

func checkProbes(t *testing.T, c corev1.Container) {
	t.Helper()
	for _, p := range []struct {
		name, path string
		probe      *corev1.Probe
	}{
		{"startup", "/v1.0/pub/live", c.StartupProbe},
		{"liveness", "/v1.0/pub/live", c.LivenessProbe},
		{"readiness", "/v1.0/pub/ready", c.ReadinessProbe},
	} {
		if p.probe == nil || p.probe.HTTPGet.Path != p.path || p.probe.HTTPGet.Port.StrVal != "http" {
			t.Errorf("%s probe: %+v", p.name, p.probe)
		}
	}
	ports := map[string]int32{}
	for _, port := range c.Ports {
		ports[port.Name] = port.ContainerPort
	}
	if !maps.Equal(ports, map[string]int32{"http": 8080, "metrics": 9180}) {
		t.Errorf("ports: %v", ports)
	}
}

// checkConfiguration: the pods run the Caddyfile that wxgate's own tests load, with every
// variable and file that it names.
func checkConfiguration(t *testing.T, o objects) {
	t.Helper()
	caddyfile := o.config.Data["Caddyfile"]
	if caddyfile != read(t, kubernetesFolder, "base", "Caddyfile") {
		t.Errorf("the Caddyfile is another:\n%s", caddyfile)
	}
	c := o.container(t, "wxgate")
	for _, match := range regexp.MustCompile(`\{\$(\w+)\}`).FindAllStringSubmatch(caddyfile, -1) {
		if environment(c, match[1]) == "" {
			t.Errorf("the variable %s is not set", match[1])
		}
	}
	mounts := map[string]string{}
	for _, mount := range c.VolumeMounts {
		mounts[mount.MountPath] = mount.Name
	}
	for _, path := range []string{"/etc/wxgate", "/run/secrets/wxgate", "/run/wxgate", "/var/lib/wxgate"} {
		if mounts[path] == "" {
			t.Errorf("nothing is mounted at %s", path)
		}
	}
	for _, v := range o.deployment.Spec.Template.Spec.Volumes {
		switch v.Name {
		case mounts["/etc/wxgate"]:
			if v.ConfigMap.Name != o.config.Name {
				t.Errorf("the configuration is %s, want %s", v.ConfigMap.Name, o.config.Name)
			}
		case mounts["/run/secrets/wxgate"]:
			if v.Secret.SecretName != "wxgate" || *v.Secret.DefaultMode != 0o440 {
				t.Errorf("the secrets are %+v", v.Secret)
			}
		}
	}
}

// checkPolicy: other pods reach neither port, and wxgate reaches no address of the cluster
// but DNS, Redis and the API.
func checkPolicy(t *testing.T, p networkingv1.NetworkPolicy) {
	t.Helper()
	if len(p.Spec.PolicyTypes) != 2 || len(p.Spec.Ingress) != 2 || len(p.Spec.Egress) < 3 {
		t.Fatalf("policy: %+v", p.Spec)
	}
	for _, in := range p.Spec.Ingress {
		if len(in.From) != 1 || len(in.Ports) != 1 || in.From[0].NamespaceSelector == nil || len(in.From[0].NamespaceSelector.MatchLabels) != 1 {
			t.Errorf("ingress from %+v", in)
		}
	}
	for _, out := range p.Spec.Egress {
		if len(out.To) != 1 || len(out.Ports) == 0 {
			t.Errorf("egress to %+v", out)
		} else if block := out.To[0].IPBlock; block != nil && !strings.Contains(strings.Join(block.Except, " "), "169.254.0.0/16") {
			t.Errorf("egress to the metadata service of the cloud: %+v", block)
		}
	}
}

// TestOverlays: each overlay protects the API in its way.
func TestOverlays(t *testing.T) {
	gateway, sidecar := kustomized(t, "gateway"), kustomized(t, "sidecar")
	if n := len(gateway.deployment.Spec.Template.Spec.Containers); n != 1 {
		t.Errorf("gateway: %d containers", n)
	}
	api, ok := gateway.policies["api"]
	if !ok || len(api.Spec.Ingress) != 1 || api.Spec.Ingress[0].From[0].PodSelector.MatchLabels["app.kubernetes.io/name"] != "wxgate" {
		t.Errorf("gateway: the API is open to %+v", api.Spec.Ingress)
	}
	last := gateway.policies["wxgate"].Spec.Egress
	if to := last[len(last)-1].To[0].PodSelector; to == nil || to.MatchLabels["app.kubernetes.io/name"] != "api" {
		t.Errorf("gateway: wxgate cannot reach the API: %+v", last)
	}
	if got := environment(sidecar.container(t, "wxgate"), "UPSTREAM"); got != "127.0.0.1:9000" || got != environment(sidecar.container(t, "api"), "LISTEN") {
		t.Errorf("sidecar: wxgate sends to %q", got)
	}
	if ports := sidecar.container(t, "api").Ports; len(ports) > 0 {
		t.Errorf("sidecar: the API has ports %+v", ports)
	}
}
