// What a mini program has besides the language.

declare function setTimeout(work: () => void, milliseconds: number): unknown

declare const wx: any
declare const tt: any
declare const qq: any
declare const uni: any
