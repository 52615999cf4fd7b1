/** Reports whether a call that failed may succeed when it is repeated. */
export type Repeatable = (failure: unknown) => boolean;
/**
 * Waits before a call is repeated: a second and then two, or as long as the gateway asks. It
 * throws the failure if the call failed too often, cannot succeed, or the wait is too long.
 */
export declare function waitAfter(failure: unknown, attempt: number, repeatable: Repeatable): Promise<void>;
/** Calls until it succeeds, as long as repeating it may help. */
export declare function repeating<T>(call: () => Promise<T>, repeatable: Repeatable): Promise<T>;
/** A refresh or a logout may be sent again, with the same token, if there is no response of the gateway or a 5xx. */
export declare const repeatSame: Repeatable;
/** A login may succeed with a new code, unless the host gives none. */
export declare const repeatLogin: Repeatable;
/**
 * A request may be sent again after a pause: the gateway did not forward it, so that nothing is
 * done twice.
 */
export declare const repeatRequest: Repeatable;
/** The same for a phone code, which WeChat may have seen when the gateway limits it. */
export declare const repeatPhoneCode: Repeatable;
