// The console's page begins.
import { mount } from "svelte";
import { choose, theme } from "../lib/theme.svelte";
import Console from "./Console.svelte";
import "../styles/tokens.css";
import "../styles/base.css";
import "../styles/controls.css";

choose(theme());
const target = document.getElementById("app");
if (target) mount(Console, { target });
