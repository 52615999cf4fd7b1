package manifests

import (
	"regexp"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// objects are what a cluster would get.
type objects struct {
	deployment appsv1.Deployment
	config     corev1.ConfigMap
	service    corev1.Service
	budget     policyv1.PodDisruptionBudget
	account    corev1.ServiceAccount
	policies   map[string]networkingv1.NetworkPolicy
}

var separator = regexp.MustCompile(`(?m)^---$`)

// decodeObjects decodes YAML as a cluster would with strict field validation: unknown and
// duplicate fields are errors. Each kind but NetworkPolicy appears once.
func decodeObjects(t *testing.T, text string) objects {
	t.Helper()
	o := objects{policies: map[string]networkingv1.NetworkPolicy{}}
	seen := map[string]bool{}
	for _, document := range separator.Split(text, -1) {
		var kind metav1.TypeMeta
		if err := yaml.Unmarshal([]byte(document), &kind); err != nil {
			t.Fatalf("%v in\n%s", err, document)
		}
		var policy networkingv1.NetworkPolicy
		into, ok := map[metav1.TypeMeta]any{
			{APIVersion: "apps/v1", Kind: "Deployment"}:                 &o.deployment,
			{APIVersion: "v1", Kind: "ConfigMap"}:                       &o.config,
			{APIVersion: "v1", Kind: "Service"}:                         &o.service,
			{APIVersion: "v1", Kind: "ServiceAccount"}:                  &o.account,
			{APIVersion: "policy/v1", Kind: "PodDisruptionBudget"}:      &o.budget,
			{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"}: &policy,
			{}: nil,
		}[kind]
		if !ok {
			t.Fatalf("unexpected kind %v", kind)
		}
		if into == nil {
			continue // an empty document
		}
		if err := yaml.UnmarshalStrict([]byte(document), into); err != nil {
			t.Fatalf("%v in\n%s", err, document)
		}
		if kind.Kind == "NetworkPolicy" {
			o.policies[policy.Name] = policy
		} else if seen[kind.Kind] {
			t.Errorf("two objects of kind %s", kind.Kind)
		}
		seen[kind.Kind] = true
	}
	for _, kind := range []string{"Deployment", "ConfigMap", "Service", "ServiceAccount", "PodDisruptionBudget"} {
		if !seen[kind] {
			t.Errorf("no %s", kind)
		}
	}
	return o
}

// container returns a container of the pods.
func (o objects) container(t *testing.T, name string) corev1.Container {
	t.Helper()
	for _, c := range o.deployment.Spec.Template.Spec.Containers {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("no container %s", name)
	return corev1.Container{}
}

// environment returns the value of a variable of a container.
func environment(c corev1.Container, name string) string {
	for _, v := range c.Env {
		if v.Name == name {
			return v.Value
		}
	}
	return ""
}
