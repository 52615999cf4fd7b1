// Package browser serves the browsers of a site: the calls under {prefix}/web, their cookies,
// and the checks of what a page of another site could have sent.
package browser
