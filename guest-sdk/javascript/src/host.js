// The host of a component, as the task sees it. Must not be imported outside a component.

import * as context from "chicory:task/context@0.1.0";
import { write } from "chicory:task/log@0.1.0";
import { report } from "chicory:task/progress@0.1.0";

export const host = { context, write, report };
