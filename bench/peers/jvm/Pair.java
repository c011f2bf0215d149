/** An event of the chains in memory. */
public class Pair {
    public int k;
    public double v;
}
