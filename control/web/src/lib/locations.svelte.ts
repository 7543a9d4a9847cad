// What locations are called: servers, networks and notices name theirs by its slug, which is for programs.
import { API, get } from "./api/client";
import type { Location } from "./api/schema";

let names = $state.raw<ReadonlyMap<string, string>>(new Map());
let asked: Promise<void> | undefined;

/** Asks once. Waited for together with what names a location, so that no word changes under the reader's eyes. */
export const knowLocations = () =>
  (asked ??= get<Location[]>(`${API}/locations`).then(
    ({ data }) => void (names = new Map(data.map((one) => [one.slug, one.name]))),
    () => void (asked = undefined), // the slug says something, too
  ));

export const locationName = (slug: string) => names.get(slug) ?? slug;
